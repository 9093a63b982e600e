"""The composition root: settings, spec files, plug-ins, and who gets which driver."""
