"""Variants x seeds: which parts of a network, and which wiring, make a difference.

Enters: a plan, a spec, images. Leaves: an experiment folder with runs, and what follows from them.
"""
