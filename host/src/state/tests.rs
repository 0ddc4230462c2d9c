use crate::state::*;
