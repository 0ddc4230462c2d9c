//! What a caller did wrong, or what went wrong here.

bandpass_core::codes! {
    /// A pointer is null where it must not be.
    Null = "c.null",
    /// Bytes are more than memory can have, or not as many as it takes.
    Length = "c.length",
    /// A request is not JSON as it should be, or has a member that is not known.
    Request = "c.request",
    /// 32 bytes are no private key of P-256: a number from 1 to below the order of the group.
    Key = "c.key",
    /// There is no characteristic with this number.
    Characteristic = "c.characteristic",
    /// The handle was used up by an earlier call.
    Used = "c.used",
    /// The operating system gives no random bytes.
    Random = "c.random",
    /// A mistake in this library: it stopped what it was doing, then or in an earlier call with this handle.
    Panic = "c.panic",
}
