"""What the client tests share: the server as a process, signatures of our own, and bytes to compare."""
