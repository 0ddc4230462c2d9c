//! Status list tokens as CWT, in a build without them: each is refused.

use alloc::vec::Vec;

use crate::error::{Code, Error};
use crate::status::Claims;
use crate::trust::Trust;

pub(crate) fn signed(_: &[u8], _: &Trust, _: u64) -> Result<(Claims, Vec<usize>), Error> {
    Err(Error::new(Code::StatusUnsupported, "this build reads no CWT"))
}
