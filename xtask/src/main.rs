//! The build steps of this project.
fn main() {}
