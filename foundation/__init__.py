"""What every room stands on: errors, safe files, strict JSON, manifests, progress."""
