package narrate

// Story says what Beside tells of.
type Story struct {
	Program  string   // the name that records have in "lesson"
	Settings Settings // how to narrate
	AsRoot   string   // the line to type that does the same as root, for hints
	Explains bool     // the program that this process becomes is somebody else's
	Source   string   // its main.go, whose comments say why; "" for none
}

// Beside narrates what this process does from here on, and all that it starts: as
// Watch does, but of any program. It returns when the narrator has seized this
// process, or has said that it cannot.
func Beside(s Story) {
}
