//! A checker that cannot fail is worth nothing: whole cases pass, and each broken one is found out.
