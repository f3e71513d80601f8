"""Label Studio as a second front: experts may rank there, and nothing that comes from it is believed unchecked."""
