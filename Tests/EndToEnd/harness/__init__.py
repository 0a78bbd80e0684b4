"""What the end-to-end scenarios share: the proxy as a process, sipp pairs, user agents of our own, a lossy relay."""
