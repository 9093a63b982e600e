"""The HTTP door: the route as a service. Needs the extra ``http``."""
