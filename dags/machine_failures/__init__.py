"""Will this machine fail within two weeks? Asked every evening, of each machine."""
