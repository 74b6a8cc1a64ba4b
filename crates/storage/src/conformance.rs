//! The one suite that every backend runs.
