package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mishap/internal/awsfake/wire"
)

// The kinds of Lambda.
const (
	Function      Kind = "arn:aws:lambda:{region}:{account}:function:{id}"
	SourceMapping Kind = "arn:aws:lambda:{region}:{account}:event-source-mapping:{id}"
)

// concurrent is how many functions of an account may run at once in a region.
const concurrent = 1000

func lambda() Service {
	function, mapping := on(Function, "FunctionName"), onMapping
	return Service{prefix: "lambda", route: lambdaRoute, actions: map[string]action{
		"ListFunctions":             {do: listFunctions},
		"GetFunction":               {do: getFunction, needs: function},
		"GetFunctionConfiguration":  {do: getFunctionConfiguration, needs: function},
		"GetFunctionConcurrency":    {do: getConcurrency, needs: function},
		"PutFunctionConcurrency":    {do: putConcurrency, needs: function},
		"DeleteFunctionConcurrency": {do: deleteConcurrency, needs: function},
		"GetAccountSettings":        {do: accountSettings},
		"ListTags":                  {do: functionTags, needs: func(k *call) []Need { return []Need{{Resource: k.in.Str("Resource")}} }},
		"Invoke": {do: invoke, needs: func(k *call) []Need {
			return []Need{{Action: "lambda:InvokeFunction", Resource: Function.ARN(k.Place, k.in.Str("FunctionName"))}}
		}},
		"ListEventSourceMappings":  {do: listMappings},
		"GetEventSourceMapping":    {do: getMapping, needs: mapping},
		"UpdateEventSourceMapping": {do: updateMapping, needs: mapping},
	}}
}

// lambdaRoute reads method and path, without the date that the path begins with.
func lambdaRoute(q wire.Request) (string, Doc) {
	in := Doc{}
	maps.Copy(in, q.In)
	for key := range q.Query {
		in[key] = q.Query.Get(key)
	}
	part := append(slices.Clone(q.Path), "", "", "", "")[1:]
	name := part[1][strings.LastIndexByte(part[1], ':')+1:]
	switch part[0] {
	case "functions":
		in["FunctionName"] = name
		of := map[string]string{"GET ": "GetFunction", "GET configuration": "GetFunctionConfiguration", "GET concurrency": "GetFunctionConcurrency",
			"PUT concurrency": "PutFunctionConcurrency", "DELETE concurrency": "DeleteFunctionConcurrency", "POST invocations": "Invoke"}
		if name == "" {
			return "ListFunctions", in
		}
		return of[q.Method+" "+part[2]], in
	case "event-source-mappings":
		if part[1] == "" {
			return "ListEventSourceMappings", in
		}
		in["UUID"] = part[1]
		return map[string]string{"GET": "GetEventSourceMapping", "PUT": "UpdateEventSourceMapping"}[q.Method], in
	case "account-settings":
		return "GetAccountSettings", in
	case "tags":
		in["Resource"] = part[1]
		return "ListTags", in
	}
	return "", in
}

// AddFunction seeds a function.
func (c *Cloud) AddFunction(p Place, name string, tags map[string]string) (arn string) {
	defer c.lock()()
	return c.plant(p, Function, name, Doc{"FunctionName": name, "FunctionArn": Function.ARN(p, name), "Runtime": "provided.al2023", "State": "Active",
		"LastUpdateStatus": "Successful", "Version": "$LATEST", "Role": "arn:aws:iam::" + p.Account + ":role/" + name, "_tags": maps.Clone(tags)})
}

// AddMapping seeds an enabled event source mapping of a function.
func (c *Cloud) AddMapping(p Place, function, source string, tags map[string]string) (uuid string) {
	defer c.lock()()
	c.ids++
	uuid = fmt.Sprintf("00000000-0000-4000-8000-%012d", c.ids)
	c.plant(p, SourceMapping, uuid, Doc{"UUID": uuid, "EventSourceMappingArn": SourceMapping.ARN(p, uuid), "EventSourceArn": source, "BatchSize": 10,
		"FunctionArn": Function.ARN(p, function), "State": "Enabled", "StateTransitionReason": "USER_INITIATED", "LastModified": c.at, "_tags": maps.Clone(tags)})
	return uuid
}

func noFunction(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: message}
}

// function is the one that the call names, as it is or as it is seen.
func (k *call) function(seen bool) (Doc, error) {
	arn := Function.ARN(k.Place, k.in.Str("FunctionName"))
	d := k.now(arn)
	if seen {
		d = k.seen(arn)
	}
	if d == nil {
		return nil, noFunction("Function not found: " + arn)
	}
	return d, nil
}

func listFunctions(k *call) (Doc, error) {
	k.pageSize = 50
	page, next := k.paged(k.list(k.Place, Function, true), "Marker", "MaxItems")
	return Doc{"Functions": page, "NextMarker": next}, nil
}

func getFunction(k *call) (Doc, error) {
	d, err := k.function(true)
	if err != nil {
		return nil, err
	}
	out := Doc{"Configuration": d, "Code": Doc{"RepositoryType": "S3"}}
	if len(tags(d)) > 0 {
		out["Tags"] = tags(d)
	}
	if d.Has("_concurrency") {
		out["Concurrency"] = Doc{"ReservedConcurrentExecutions": d["_concurrency"]}
	}
	return out, nil
}

func getFunctionConfiguration(k *call) (Doc, error) { return k.function(true) }

func getConcurrency(k *call) (Doc, error) {
	d, err := k.function(true)
	if err != nil || !d.Has("_concurrency") {
		return Doc{}, err
	}
	return Doc{"ReservedConcurrentExecutions": d["_concurrency"]}, nil
}

// unreserved is what functions without a reservation share, besides one of them.
func (k *call) unreserved(besides string) int {
	left := concurrent
	for _, f := range k.list(k.Place, Function, false) {
		if f.Str("FunctionName") != besides {
			left -= f.Int("_concurrency", 0)
		}
	}
	return left
}

func putConcurrency(k *call) (Doc, error) {
	d, err := k.function(false)
	if err != nil {
		return nil, err
	}
	n := k.in.Int("ReservedConcurrentExecutions", 0)
	if n > 0 && k.unreserved(d.Str("FunctionName"))-n < 100 {
		return nil, &Error{Code: "InvalidParameterValueException", Message: "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."}
	}
	k.edit(d.Str("_arn"), func(d Doc) { d["_concurrency"] = n })
	return Doc{"ReservedConcurrentExecutions": n}, nil
}

func deleteConcurrency(k *call) (Doc, error) {
	d, err := k.function(false)
	if err != nil {
		return nil, err
	}
	k.edit(d.Str("_arn"), func(d Doc) { delete(d, "_concurrency") })
	return Doc{"_status": http.StatusNoContent}, nil
}

func accountSettings(k *call) (Doc, error) {
	return Doc{"AccountLimit": Doc{"ConcurrentExecutions": concurrent, "UnreservedConcurrentExecutions": k.unreserved("")},
		"AccountUsage": Doc{"FunctionCount": len(k.list(k.Place, Function, true))}}, nil
}

func functionTags(k *call) (Doc, error) {
	d := k.seen(k.in.Str("Resource"))
	if d == nil {
		return nil, noFunction("Function not found: " + k.in.Str("Resource"))
	}
	return Doc{"Tags": tags(d)}, nil
}

func invoke(k *call) (Doc, error) {
	d, err := k.function(true)
	if err != nil {
		return nil, err
	}
	if d.Has("_concurrency") && d.Int("_concurrency", 0) == 0 {
		return nil, &Error{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate Exceeded."}
	}
	return Doc{"_body": []byte("null")}, nil
}

func onMapping(k *call) []Need {
	arn := SourceMapping.ARN(k.Place, k.in.Str("UUID"))
	return []Need{{Resource: arn, Context: map[string][]string{"lambda:FunctionArn": {k.now(arn).Str("FunctionArn")}}}}
}

func noMapping() *Error { return noFunction("The resource you requested does not exist.") }

func listMappings(k *call) (Doc, error) {
	k.pageSize = 100
	all := slices.DeleteFunc(k.list(k.Place, SourceMapping, true), func(d Doc) bool {
		of, from := k.in.Str("FunctionName"), k.in.Str("EventSourceArn")
		return of != "" && !strings.HasSuffix(d.Str("FunctionArn"), ":"+of[strings.LastIndexByte(of, ':')+1:]) || from != "" && d.Str("EventSourceArn") != from
	})
	page, next := k.paged(all, "Marker", "MaxItems")
	return Doc{"EventSourceMappings": page, "NextMarker": next}, nil
}

func getMapping(k *call) (Doc, error) {
	d := k.seen(SourceMapping.ARN(k.Place, k.in.Str("UUID")))
	if d == nil {
		return nil, noMapping()
	}
	return d, nil
}

func updateMapping(k *call) (Doc, error) {
	arn := SourceMapping.ARN(k.Place, k.in.Str("UUID"))
	d := k.now(arn)
	switch state := d.Str("State"); {
	case d == nil:
		return nil, noMapping()
	case state != "Enabled" && state != "Disabled":
		return nil, &Error{Code: "ResourceInUseException", Message: "Cannot update the event source mapping (" + k.in.Str("UUID") + ") because it is in use."}
	}
	way, end := "Updating", d.Str("State")
	if k.in.Has("Enabled") {
		way, end = "Disabling", "Disabled"
		if k.in.Bool("Enabled") {
			way, end = "Enabling", "Enabled"
		}
	}
	if end == d.Str("State") {
		way = "Updating"
	}
	k.edit(arn, func(d Doc) {
		d["State"], d["LastModified"] = way, k.at
		if k.in.Has("BatchSize") {
			d["BatchSize"] = k.in.Int("BatchSize", 0)
		}
	})
	k.after(k.Mapping, func() { k.edit(arn, func(d Doc) { d["State"] = end }) })
	out := maps.Clone(k.now(arn))
	out["_status"] = http.StatusAccepted
	return out, nil
}
