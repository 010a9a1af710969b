// Empty, but needed: with a file in assembly in the package, the compiler
// accepts the functions without a body that hand_linux.go gets from the runtime.
