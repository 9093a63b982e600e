"""What the outside says: metrics that are asked for, alerts that are sent."""
