//! The hooks of providers from outside: their router over a real domain on SQLite in a temporary folder, called with requests
//! signed as the providers say.

mod answers;
mod links;
mod support;
