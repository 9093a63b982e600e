"""Control stores: one package a driver."""
