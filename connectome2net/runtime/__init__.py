"""What compiled models call: the sparse step, cells, rules, input and readout.

Enters: arrays of a compiled folder. Leaves: torch modules. Nothing here knows of specs or of MICrONS.
"""
