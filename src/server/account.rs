//! TEMP
use crate::id::{ServerName, UserId};
/// TEMP
pub(super) fn directory(server: &ServerName) -> UserId { UserId::parse(&alloc::format!("@_directory:{server}")).unwrap_or_else(|_| todo!()) }
