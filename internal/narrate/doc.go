// Package narrate tells what a program does while it does it, by watching it
// from beside: which system call, with which arguments, why, and what the
// kernel answered.
package narrate
