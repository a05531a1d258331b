//! The executable; the library has all of its code, so that tests can reach it.

fn main() -> std::process::ExitCode {
    clicks::main()
}
