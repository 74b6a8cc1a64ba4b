//! The model keeps the contract, and its faults are what they say.
