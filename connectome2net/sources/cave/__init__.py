"""CAVE, the server from which MICrONS and its neighbours hand out their tables.

Enters: ``cave[:DATASTACK][@VERSION]`` and a token. Leaves: ``Source``, every row counted. Nothing here is imported
before that word is met: CAVEclient costs half a second.
"""
