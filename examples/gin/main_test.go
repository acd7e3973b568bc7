package main

import (
	"testing"

	"rescind/examples/service/servicetest"
)

func TestHandler(t *testing.T) { servicetest.Try(t, handler) }
