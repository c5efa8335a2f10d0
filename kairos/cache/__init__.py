"""Where the response cache keeps answers: files that the workers of a node share, and hot copies in each of them."""
