// No press is lost: an event may join the queue just as the server ends the stream that would tell of it (gradio 6.31).
// Where the stream closes while something is still to be told, the page asks again, and gradio sees one stream.
(() => {
    const ask = window.fetch.bind(window);
    const open = new Set(); // events that were let in and are not done
    let joining = 0;
    const isFor = (input, path) => String(input.url || input).includes(`/gradio_api/${path}`);

    async function* messages(response) {
        const decoder = new TextDecoder();
        const reader = response.body.getReader();
        for (let rest = '', piece; !(piece = await reader.read()).done;) {
            const parts = (rest + decoder.decode(piece.value, {stream: true})).split('\n\n');
            rest = parts.pop();
            yield* parts;
        }
    }

    const lasting = (first, again) => new ReadableStream({async start(told) {
        const encoder = new TextEncoder();
        const tell = part => told.enqueue(encoder.encode(`${part}\n\n`));
        try {
            for (let response = first; response;) {
                let closing = null;
                for await (const part of messages(response)) {
                    const said = JSON.parse(part.replace(/^data: ?/, ''));
                    if (said.msg === 'close_stream') { closing = part; break; }
                    if (said.msg === 'process_completed') open.delete(said.event_id);
                    tell(part);
                }
                while (closing && joining) await new Promise(done => setTimeout(done, 50));
                response = closing && open.size ? await again() : null;
                if (closing && !response) tell(closing);
            }
            told.close();
        } catch (error) {
            if (error.name === 'AbortError') told.close(); else told.error(error); // gradio, or the visitor, has left
        }
    }});

    window.fetch = async (input, options) => {
        if (isFor(input, 'cancel')) open.delete(JSON.parse(options?.body || '{}').event_id);
        if (isFor(input, 'queue/join')) {
            joining += 1;
            try {
                const response = await ask(input, options);
                if (response.ok) open.add((await response.clone().json()).event_id);
                return response;
            } finally { joining -= 1; }
        }
        if (!isFor(input, 'queue/data')) return ask(input, options);
        const again = () => ask(input.clone ? input.clone() : input, options);
        const response = await again();
        return response.ok ? new Response(lasting(response, again), response) : response;
    };
})();
