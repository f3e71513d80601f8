"""From several rankings to one: ranked pairs, Borda, Plackett-Luce."""
