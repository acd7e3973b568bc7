// Command chi protects a chi router.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/go-chi/chi/v5"

	"rescind/examples/service"
	"rescind/httpapi"
	"rescind/token"
)

func handler(s *service.Service) http.Handler {
	router := chi.NewRouter()
	router.Use(token.Middleware(s.Verifier)) // chi takes net/http middleware as it is
	router.Get("/hello", hello)
	router.With(token.Middleware(s.Verifier, token.RequireScope("admin"))).Get("/admin", hello)
	return router
}

func hello(w http.ResponseWriter, r *http.Request) {
	claims, err := token.ClaimsFrom[service.Claims](r.Context())
	if err != nil {
		token.WriteError(w, err, "shop")
		return
	}
	fmt.Fprintln(w, "hello", claims.Subject)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := service.Open(ctx, "data")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	pair, err := s.Issuer.Login(ctx, "ada", token.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("curl http://127.0.0.1:8000/hello -H 'Authorization: Bearer %s'\n", pair.AccessToken)
	server := httpapi.NewServer("127.0.0.1:8000", handler(s), nil)
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
