//! The executable of the library.

fn main() -> std::process::ExitCode {
    clicks::main()
}
