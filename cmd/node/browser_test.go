package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pictures is where the tests of the dashboard leave what they have seen.
var pictures = flag.String("pictures", "", "folder for pictures of the dashboard; none if empty")

// browserNames are what headless Chromium is called in different places.
var browserNames = []string{"chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"}

// browser is a headless Chromium that notes what a good page never does.
type browser struct {
	t    *testing.T
	base string // of the only server that it may ask
	ctx  context.Context

	mu    sync.Mutex
	wrong []string // violations of the policy, errors, requests to elsewhere
}

// newBrowser starts a browser, or skips the test where there is none.
func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	path := ""
	for _, name := range browserNames {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skipf("there is no %s on the PATH", strings.Join(browserNames, ", "))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	b := &browser{t: t, base: base, ctx: ctx}
	if err := chromedp.Listen(ctx, b.watch); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, cdplog.Enable, cdp.Empty{})
	call(b, audits.Enable, cdp.Empty{})
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, w := range b.wrong {
			t.Error(w)
		}
	})
	return b
}

func (b *browser) watch(event any) {
	wrong := ""
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		// The status of an answer that a test asks for is no fault of the page.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork || e.Entry.Source == cdplog.EntrySourceSecurity {
			wrong = "log: " + e.Entry.Text
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			wrong = fmt.Sprintf("a violation of the policy: %s of %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *runtime.EventExceptionThrown:
		wrong = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		wrong = fmt.Sprintf("console: %s", e.Type)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.base+"/") && !strings.HasPrefix(u, "data:,") {
			wrong = "a request to elsewhere: " + u
		}
	}
	if wrong != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = append(b.wrong, wrong)
	}
}

// within bounds everything that is asked of the browser.
const within = 20 * time.Second

// call runs a command of the DevTools protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// ask runs one action and returns what it gives.
func ask[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	for replaced(ctx, err) {
		v, err = chromedp.Run(ctx, action)
	}
	if err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		b.t.Fatalf("%v; the page says:\n%s", err, page)
	}
	return v
}

// replaced reports whether an action failed because the page, which is live, put
// something else in the place of an element between its being found and its being
// used. Nothing has been done to it then.
func replaced(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "No node with given id found")
}

// open loads a page.
func (b *browser) open(path string) {
	b.t.Helper()
	ask(b, chromedp.Steps(chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS("footer"))))
}

// text returns what is to be read in an element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return ask(b, chromedp.Text(chromedp.CSS(selector)))
}

// reads waits until an element says something, without loading the page again.
func (b *browser) reads(selector, want string) {
	b.t.Helper()
	end := time.Now().Add(within)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for got := ""; ; <-poll.C {
		if got = b.text(selector); strings.Contains(got, want) {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come to say %q:\n%s", selector, want, got)
		}
	}
}

// submit presses a button that leads to another page.
func (b *browser) submit(button string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(button)))
	for replaced(ctx, err) {
		_, err = chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(button)))
	}
	if err != nil {
		b.t.Fatalf("press %s: %v", button, err)
	}
	ask(b, chromedp.WaitReady(chromedp.CSS("footer")))
}

func (b *browser) fill(selector, value string) {
	b.t.Helper()
	ask(b, chromedp.SetValue(chromedp.CSS(selector), value))
}

// size sets the window, and theme light or dark.
func (b *browser) size(width, height int64, theme string) {
	b.t.Helper()
	ask(b, chromedp.EmulateViewport(width, height))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
}

// fits asserts that a page is not wider than the window.
func (b *browser) fits(width int) {
	b.t.Helper()
	if got := ask(b, chromedp.Evaluate[int]("document.documentElement.scrollWidth")); got > width {
		b.t.Errorf("the page is %d pixels wide in a window of %d", got, width)
	}
}

// picture keeps what is to be seen, if somebody wants to look.
func (b *browser) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	png := ask(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) signIn(secret string) {
	b.t.Helper()
	b.open("/")
	b.fill("#token", secret)
	b.submit("main button")
}
