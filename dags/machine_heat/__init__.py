"""How hot will this machine run tomorrow? Asked every evening, of each machine."""
