package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonsrun/internal/narrate"
)

// Whatever a program can tell a reader to do has an entry in the book.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
	for _, hint := range narrate.Hints() {
		words := hint[:strings.IndexAny(hint+".", ".%:,;(")]
		words = strings.TrimSpace(words)
		if !strings.Contains(string(text), "\n### "+words) {
			t.Errorf("troubleshooting.md has no heading that begins with the hint's first words, %q", words)
		}
	}
	for _, words := range rootfsErrors(t) {
		if !strings.Contains(page, strings.ToLower(words)) {
			t.Errorf("troubleshooting.md has no entry for the error of internal/rootfs that says %q", words)
		}
	}
}

// notShown are errors that only make the package leave a program out, or make
// the root file system anew.
var notShown = map[string]bool{
	"is not an absolute path": true,
	"made by another recipe":  true,
}

var verb = regexp.MustCompile(`%[a-zA-Z]|[:,;"()]`)

// rootfsErrors returns, of each error text in internal/rootfs, the longest
// piece between two verbs in its first line. Texts of a few letters only wrap
// what the kernel says.
func rootfsErrors(t *testing.T) (all []string) {
	t.Helper()
	if _, err := os.Stat("../internal/rootfs"); err != nil {
		t.Skip("this test reads the source, and that is not here")
	}
	files, err := filepath.Glob("../internal/rootfs/*_linux.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if words := longestPiece(errorText(call)); len(words) >= 20 && !notShown[words] {
					all = append(all, words)
				}
			}
			return true
		})
	}
	if len(all) < 5 {
		t.Errorf("only %d texts of errors found in internal/rootfs: %q", len(all), all)
	}
	return all
}

// errorText returns the first line of the text that errors.New or fmt.Errorf is
// given, "" for another call.
func errorText(call *ast.CallExpr) string {
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || function.Sel.Name != "Errorf" && (function.Sel.Name != "New" || len(call.Args) != 1) {
		return ""
	}
	argument := call.Args[0]
	if sum, ok := argument.(*ast.BinaryExpr); ok {
		argument = sum.X
	}
	literal, ok := argument.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value)
	first, _, _ := strings.Cut(text, "\n")
	return first
}

func longestPiece(text string) (longest string) {
	for _, piece := range verb.Split(text, -1) {
		if piece = strings.TrimSpace(piece); len(piece) > len(longest) {
			longest = piece
		}
	}
	return longest
}
