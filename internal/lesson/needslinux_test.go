package lesson

import (
	"strings"
	"testing"

	"gonsrun/internal/narrate"
)

// What a lesson says on another system: what it would do, why not here, and
// the lines to type.
func TestNeedsLinux(t *testing.T) {
	manual := narrate.Manual{Program: "step03-pid", Text: "Step03-pid gives the container a PID namespace.\n\n" +
		"\tgo run -exec sudo ./step03-pid run /bin/sh\n\nInside, try  echo $$ ."}
	for system, name := range map[string]string{"darwin": "macOS", "windows": "Windows", "freebsd": "freebsd"} {
		text := needsLinux(manual, system)
		for _, want := range []string{
			"gives the container a PID namespace", "a feature of the Linux kernel", name,
			"docker build -t gonsrun .\n", "docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun\n",
			"vagrant up\n", "vagrant ssh\n", "go run ./step03-pid run /bin/sh\n",
		} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("on %s the text has no %q:\n%s", system, want, text)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if len(line) > 80 {
				t.Errorf("on %s a line is wider than %d columns: %s", system, 80, line)
			}
		}
	}
}
