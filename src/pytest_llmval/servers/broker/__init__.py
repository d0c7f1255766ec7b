"""One engine process for all workers of a run: the keeper owns it, the service computes, each worker is a client."""
