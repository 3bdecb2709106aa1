//! The A2 dialect from outside: its router over a real domain on SQLite in a temporary folder. What FastAPI-Users answers is
//! compared in `tests/conformance/a2`; here is what that library does not do.

mod access;
mod bad_input;
mod isolation;
mod lists;
mod mass_assignment;
mod routes;
mod support;
