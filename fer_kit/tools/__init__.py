"""What only the command line does; lessons never import it."""
