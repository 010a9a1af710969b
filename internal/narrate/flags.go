package narrate

import "flag"

// Settings say how to narrate. They are the narrator's flags.
type Settings struct {
	Quiet   bool
	Short   bool
	Pause   bool
	JSON    bool
	NoColor bool
	To      string // a file, or another terminal; "" for stderr
}

// Flags defines the narrator's flags in f, and returns where their values go.
func Flags(f *flag.FlagSet) *Settings {
	s := &Settings{}
	f.BoolVar(&s.Quiet, "quiet", false, "narrate nothing")
	f.BoolVar(&s.Short, "short", false, "narrate in two lines a call")
	f.BoolVar(&s.Pause, "pause", false, "wait for a key before each call: Enter for the next one, c until the\nother side's turn, g to go on without waiting, q to quit")
	f.BoolVar(&s.JSON, "json", false, "narrate in JSON, one object a line")
	f.BoolVar(&s.NoColor, "no-color", false, "narrate without color")
	f.StringVar(&s.To, "to", "", "narrate into `FILE`, which may be another terminal")
	return s
}
