//! The executable; all of it is in the library, where tests and fuzzing reach it.

fn main() -> std::process::ExitCode {
    clicks::main()
}
