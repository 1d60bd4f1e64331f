//! Key groups: which subtask owns a key. Ours and written down, so that state outlives every library.
