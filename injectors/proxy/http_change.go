package proxy

import "mishap"

func httpAbort() kind {
	return kind{
		name: "proxy-http-abort", symptom: mishap.SymptomUnreachable, effect: "http-abort", protocols: "http", arms: true, verb: "aborts requests",
		summary: "aborts requests that pass a mishap proxy with protocol http",
		doc:     "The connection of the request is reset, or with HTTP/2 its stream. The service is not asked.",
		example: "injector: proxy-http-abort\ntargets: {proxy: payments}\nwith: {path: /pay/*, share: 1%}\nfor: 5m",
		params:  httpAbortWith{}, read: readWith(httpAbortWith{allRequests()}),
	}
}

type httpAbortWith struct{ requestWith }

func (w httpAbortWith) effect() any { return w.fields() }

type httpBodyWith struct {
	Cut     *Size   `json:"cut,omitempty" jsonschema:"so much of the body passes, such as 1KB; a longer one is cut there, and the connection reset"`
	Rate    Size    `json:"rate,omitempty" jsonschema:"bytes of the body per second, such as 10KB"`
	Replace *string `json:"replace,omitempty" jsonschema:"another body in its place"`
	requestWith
}

func httpBody() kind {
	return kind{
		name: "proxy-http-body", symptom: mishap.SymptomWrong, effect: "http-body", protocols: "http", arms: true, verb: "changes the bodies of responses",
		summary: "cuts, slows down or replaces the bodies of responses that pass a mishap proxy with protocol http",
		doc:     "Responses without a body are left alone.",
		example: "injector: proxy-http-body\ntargets: {proxy: images}\nwith: {rate: 10KB, path: /img/*}\nfor: 5m",
		params:  httpBodyWith{}, read: readWith(httpBodyWith{requestWith: allRequests()}),
	}
}

func (w httpBodyWith) problems() []error {
	problems := w.requestWith.problems()
	if w.Cut == nil && w.Rate == 0 && w.Replace == nil {
		problems = append(problems, &mishap.FieldError{Path: "with", Msg: "changes nothing", Hint: "give cut, rate or replace"})
	}
	return problems
}

func (w httpBodyWith) effect() any {
	effect := w.fields()
	effect["rate"], effect["replace"] = int64(w.Rate), w.Replace
	if w.Cut != nil {
		effect["cut"] = int64(*w.Cut)
	}
	return effect
}

type httpHeaderWith struct {
	Request  headerEdit `json:"request,omitzero" jsonschema:"changes to the header of requests"`
	Response headerEdit `json:"response,omitzero" jsonschema:"changes to the header of responses"`
	requestWith
}

type headerEdit struct {
	Set    map[string]string `json:"set,omitempty" jsonschema:"fields by name, each in the place of all of its name"`
	Remove []string          `json:"remove,omitempty" jsonschema:"names of fields"`
}

func httpHeader() kind {
	return kind{
		name: "proxy-http-header", symptom: mishap.SymptomWrong, effect: "http-header", protocols: "http", arms: true, verb: "changes header fields",
		summary: "changes header fields of requests and responses that pass a mishap proxy with protocol http",
		doc:     "Fields that frame or route a message, such as Content-Length and Host, stay as they are.",
		example: "injector: proxy-http-header\ntargets: {proxy: accounts}\nwith: {request: {remove: [Authorization]}, share: 10%, key: \"cookie:session\"}\nfor: 5m",
		params:  httpHeaderWith{}, read: readWith(httpHeaderWith{requestWith: allRequests()}),
	}
}

func (w httpHeaderWith) problems() []error {
	problems := w.requestWith.problems()
	if len(w.Request.Set)+len(w.Request.Remove)+len(w.Response.Set)+len(w.Response.Remove) == 0 {
		problems = append(problems, &mishap.FieldError{Path: "with", Msg: "changes nothing", Hint: "give set or remove of request or response"})
	}
	return problems
}

func (w httpHeaderWith) effect() any {
	effect := w.fields()
	effect["request"], effect["response"] = w.Request, w.Response
	return effect
}
