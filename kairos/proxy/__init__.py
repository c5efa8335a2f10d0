"""The HTTP data plane: sockets, connections and the exchanges between them."""
