"""Networks, one file per paper; found through `nst.registry`, never imported by name from the floors beside them."""
