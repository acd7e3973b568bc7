// Command node runs Rescind: one node, a whole cluster for trying it out, or a
// client of a running node. The binary and the image are called rescind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = ""

// Exit codes; those of check are part of the contract.
const (
	exitOK          = 0
	exitRefused     = 1 // failure; for check: revoked or invalid
	exitUsage       = 2
	exitUnreachable = 3
	exitStale       = 4
)

// env is what a command may touch of the outside world.
type env struct {
	args   []string // after the command's name
	stdin  io.Reader
	stdout io.Writer // data
	stderr io.Writer // messages
}

type command struct {
	name, summary string
	run           func(context.Context, env) error
}

func commands() []command {
	return []command{
		{"dev", "run a whole cluster in this process, with a demo issuer", runDev},
		{"serve", "run one node", runServe},
		{"check", "ask a node whether a token is accepted", runCheck},
		{"revoke", "revoke on a running node", runRevoke},
		{"status", "show a node and its staleness", runStatus},
		{"members", "show the other nodes as one node sees them; 'members accept-loss' after a loss of disks", runMembers},
		{"watch", "print revocations and members as they change", runWatch},
		{"keys", "generate the files with the cluster's secrets", runKeys},
		{"backup", "write all revocations of a running node to a file", runBackup},
		{"restore", "merge the revocations of such a file into a running node", runRestore},
		{"completion", "print a script that completes commands in a shell", runCompletion},
		{"config", "check or print the settings of serve", runConfig},
		{"healthcheck", "exit with 0 if the node is ready", runHealthcheck},
		{"version", "print the version", runVersion},
	}
}

// exitError carries an exit code; a nil err has been reported already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	// The first signal ends the context; the second ends the process at once,
	// because stop restores the default behaviour.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, env{os.Args[1:], os.Stdin, os.Stdout, os.Stderr}))
}

// run runs the command that e.args names and returns the exit code.
func run(ctx context.Context, e env) int {
	if len(e.args) == 0 || e.args[0] == "-h" || e.args[0] == "--help" || e.args[0] == "help" {
		printUsage(e.stderr)
		if len(e.args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	name := e.args[0]
	e.args = e.args[1:]
	for _, c := range commands() {
		if c.name == name {
			return report(e.stderr, c.run(ctx, e))
		}
	}
	fmt.Fprintf(e.stderr, "rescind: there is no command %q\n\n", name)
	printUsage(e.stderr)
	return exitUsage
}

func report(w io.Writer, err error) int {
	var exit *exitError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintln(w, "rescind:", legibleLines(exit.err.Error()))
		}
		return exit.code
	default:
		fmt.Fprintln(w, "rescind:", legibleLines(err.Error()))
		return exitRefused
	}
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "Rescind logs JWTs out, on every node, in milliseconds.\n\nUsage: rescind <command> [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n'rescind <command> -h' shows a command's flags.\n")
}

// newFlags returns a flag set that reports errors instead of exiting.
func newFlags(e env, name, synopsis string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(e.stderr)
	fs.Usage = func() {
		fmt.Fprintf(e.stderr, "Usage: rescind %s\n\n", synopsis)
		fs.PrintDefaults()
	}
	return fs
}

// parse parses e.args, of which at most most may be left as operands. Flags may
// stand behind operands, up to a --.
func parse(fs *flag.FlagSet, e env, most int) error {
	var operands []string
	for rest := e.args; ; {
		if err := fs.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return &exitError{code: exitUsage} // fs has printed it
		}
		ended := len(rest) > fs.NArg() && rest[len(rest)-fs.NArg()-1] == "--"
		if rest = fs.Args(); len(rest) == 0 || ended {
			operands = append(operands, rest...)
			break
		}
		operands, rest = append(operands, rest[0]), rest[1:]
	}
	if err := fs.Parse(append([]string{"--"}, operands...)); err != nil { // it holds them now
		return &exitError{code: exitUsage}
	}
	if fs.NArg() > most {
		return usage("%s: unexpected argument %q", fs.Name(), fs.Arg(most))
	}
	return nil
}

func runVersion(_ context.Context, e env) error {
	_, err := fmt.Fprintln(e.stdout, buildVersion())
	return err
}

// buildVersion returns the stamped version, or what the Go toolchain recorded.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
