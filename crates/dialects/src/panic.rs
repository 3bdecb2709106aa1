//! What a handler that panicked leaves behind, as an error of the server: a dialect renders it in its vendor's shape.

use std::any::Any;

use domain::Error;

/// The panic's text goes to the log alone.
pub(crate) fn error_of(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Error::Internal {
        context: format!("panicked: {text}"),
    }
}
