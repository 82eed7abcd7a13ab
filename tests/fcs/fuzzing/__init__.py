"""Damages FCS files on purpose and judges what the reader makes of them.

A mutation is reproducible from a file and a seed. `make fuzz` runs many over all files there are, `test_fuzz.py` a
few hundred. In the order in which a mutation meets them:

corpus     the files: real ones beside the checkout cut down to size, and small ones put together here
anatomy    where the parts of a file lie, and its values, found without cytoreg's reader
compose    a file from its parts, with offsets that are right
damage_*   one function a kind of damage: bytes, keywords, order, wrapping (`subject` is what each takes and gives)
mutations  all kinds, and the one that a seed stands for
standard   what any reader could tell to be wrong with a file, so that silence about it is a fault
limits     time and memory of one reading
oracle     what came of it: read, reported, refused, or a failure
runner     worker processes, a supervisor that notices when one dies, the table at the end
"""
