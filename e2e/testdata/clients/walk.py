"""Walks through the Python SDK as it is published, with PRODUCT_KEY in the place of the server's key.

Every step prints one line: its name, a tab, and what came of it. Every request prints one, too: "asked", a tab, method and path.
What they mean is judged by whoever reads the lines.
"""

import os
import sys
import uuid

import httpx
from openhands.sdk import Agent, Conversation, RemoteWorkspace, Tool
from openhands.sdk.security.confirmation_policy import AlwaysConfirm, NeverConfirm
from openhands.tools.terminal import TerminalTool

host, key = os.environ["PRODUCT_URL"], os.environ["PRODUCT_KEY"]


def step(name, call):
    try:
        outcome = call()
    except httpx.HTTPStatusError as refused:
        outcome = f"refused {refused.response.status_code}"
    except Exception as failed:  # the reader wants to know which step it was
        outcome = f"failed {type(failed).__name__}: {failed}".replace("\n", " ")[:300]
    print(f"{name}\t{outcome}", flush=True)
    return outcome


def report(request):
    print(f"asked\t{request.method} {request.url.path}", flush=True)


def files(workspace, folder, there):
    here, back = os.path.join(folder, "sent.txt"), os.path.join(folder, "back.txt")
    with open(here, "w") as f:
        f.write("sent by the SDK")
    step("upload", lambda: workspace.file_upload(here, there + "/sent.txt").success)
    step("download", lambda: workspace.file_download(there + "/sent.txt", back).success and open(back).read())
    step("a file of the host", lambda: workspace.file_download("/etc/hostname", back).success)
    step("command", lambda: workspace.execute_command("cat made.txt", cwd=there).stdout.strip())
    step("git changes", lambda: sorted(str(change.path) for change in workspace.git_changes(there)))


def talk(workspace, agent, folder):
    seen = []
    conversation = Conversation(agent=agent, workspace=workspace, callbacks=[seen.append], visualizer=None, delete_on_close=False)
    conversation.send_message("run: echo made by $((40+2)) > made.txt")
    conversation.run(timeout=90)
    step("status", lambda: conversation.state.execution_status.value)
    step("events by socket", lambda: any(e.__class__.__name__ == "ObservationEvent" for e in seen))
    step("saved events", lambda: len(conversation.state.events) > 5)
    files(workspace, folder, workspace.client.get(f"/api/conversations/{conversation.id}").json()["workspace"]["working_dir"])
    step("title", lambda: conversation.set_title("From the SDK"))
    step("policy", lambda: (conversation.set_confirmation_policy(AlwaysConfirm()), conversation.set_confirmation_policy(NeverConfirm()))[0])
    step("secrets", lambda: conversation.update_secrets({"SDK_SECRET": "a value of the SDK"}))
    step("pause", lambda: conversation.pause())
    step("fork", lambda: conversation.fork().id != conversation.id)
    ask_the_rest(conversation)
    conversation.close()
    return conversation.id


def ask_the_rest(conversation):
    """Calls whose requests count, whatever comes of them."""
    for call in (
        conversation.interrupt, conversation.condense, conversation.generate_title, conversation.reject_pending_actions,
        lambda: conversation.ask_agent("What did you do?"), lambda: conversation.set_security_analyzer(None),
        lambda: conversation.load_plugin("some/plugin"), lambda: conversation.navigate_to(None),
        conversation.workspace.get_mcp_config, lambda: conversation.workspace.get_llm("none"),
        lambda: conversation.workspace.git_diff("none"), lambda: conversation.workspace.get_command_output("none"),
    ):
        try:
            call()
        except Exception:
            pass


def main(folder):
    with RemoteWorkspace(host=host, api_key=key, working_dir="workspace/sdk") as workspace:
        workspace.client.event_hooks["request"].append(report)
        step("server", lambda: workspace.get_server_info()["version"])
        step("alive", lambda: workspace.alive)
        llm = workspace.get_llm()
        step("model", lambda: llm.model)
        step("saved secrets", lambda: sorted(workspace.get_secrets()))
        agent = Agent(llm=llm, tools=[Tool(name=TerminalTool.name)])
        mine = talk(workspace, agent, folder)
        step("come back", lambda: Conversation(agent=agent, workspace=workspace, conversation_id=mine, visualizer=None).id == mine)
        foreign = uuid.UUID(os.environ["PRODUCT_FOREIGN"])
        step("foreign", lambda: Conversation(agent=agent, workspace=workspace, conversation_id=foreign, visualizer=None))
    with RemoteWorkspace(host=host, api_key="oh_none", working_dir="workspace/sdk") as stranger:
        step("a bad key", lambda: Conversation(agent=agent, workspace=stranger, visualizer=None))


main(sys.argv[1])
