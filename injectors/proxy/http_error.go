package proxy

import (
	"fmt"

	"mishap"
)

type httpErrorWith struct {
	Status int               `json:"status" jsonschema:"of the answer, 200 to 599"`
	Body   string            `json:"body,omitempty" jsonschema:"of the answer"`
	Answer map[string]string `json:"answer,omitempty" jsonschema:"header fields of the answer"`
	requestWith
}

func httpError() kind {
	return kind{
		name: "proxy-http-error", symptom: mishap.SymptomWrong, effect: "http-error", protocols: "http", arms: true, verb: "answers requests",
		summary: "answers requests in place of the service behind a mishap proxy with protocol http",
		doc:     "The service is not asked.",
		example: "injector: proxy-http-error\ntargets: {proxy: payments}\nwith: {status: 503, answer: {Retry-After: \"5\"}, path: /pay/*, share: 5%}\nfor: 5m",
		params:  httpErrorWith{}, read: readWith(httpErrorWith{requestWith: allRequests()}),
	}
}

func (w httpErrorWith) problems() []error {
	problems := w.requestWith.problems()
	if w.Status < 200 || w.Status > 599 {
		problems = append(problems, &mishap.FieldError{Path: "with.status", Msg: fmt.Sprintf("%d is not from 200 to 599", w.Status), Hint: "for example 503"})
	}
	return problems
}

func (w httpErrorWith) effect() any {
	effect := w.fields()
	effect["status"], effect["body"], effect["answer"] = w.Status, w.Body, w.Answer
	return effect
}

type grpcErrorWith struct {
	Code    string `json:"code" jsonschema:"name of the status, such as UNAVAILABLE or DEADLINE_EXCEEDED"`
	Message string `json:"message,omitempty" jsonschema:"of the status"`
	requestWith
}

// grpcCodes are the names of the status codes in their order
// (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
func grpcCodes() []string {
	return []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
}

func grpcError() kind {
	return kind{
		name: "proxy-grpc-error", symptom: mishap.SymptomWrong, effect: "grpc-error", protocols: "http", arms: true, verb: "ends gRPC calls",
		summary: "ends gRPC calls in place of the service behind a mishap proxy with protocol http",
		doc:     "The service is not asked. Only calls of gRPC are hit.",
		example: "injector: proxy-grpc-error\ntargets: {proxy: cart}\nwith: {code: UNAVAILABLE, service: shop.v1.Cart, call: Add, share: 20%}\nfor: 5m",
		params:  grpcErrorWith{}, read: readWith(grpcErrorWith{requestWith: allRequests()}),
	}
}

func (w grpcErrorWith) problems() []error {
	problems := w.requestWith.problems()
	if w.Code == "" {
		return append(problems, &mishap.FieldError{Path: "with.code", Msg: "is missing", Hint: "for example UNAVAILABLE"})
	}
	return append(problems, oneOf("with.code", w.Code, grpcCodes()...)...)
}

func (w grpcErrorWith) effect() any {
	effect := w.fields()
	for code, name := range grpcCodes() {
		if name == w.Code {
			effect["code"] = code
		}
	}
	effect["message"] = w.Message
	return effect
}
