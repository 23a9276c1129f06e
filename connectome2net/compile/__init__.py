"""Spec -> program -> text: a network that a person can read and torch can train.

Enters: a valid spec. Leaves: the compiled folder; see ``package.compile_spec``.
"""
