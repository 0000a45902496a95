"""What the people who run Doorward look at: log, metrics, probes.

Owns the shape of the log, the counters and their exposition, and the admin listener's routes. Refuses to know what is
counted or checked: rooms are handed the functions they call, and hand in the checks they answer.
"""
