"""What repoint asks of the world: protocols whose promises are named and tested."""
