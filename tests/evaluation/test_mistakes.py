import torch

from windtunnel.evaluation.mistakes import find_confident_mistakes


def test_the_surest_wrong_answers_come_first() -> None:
    logits = torch.tensor([[9.0, 0.0], [2.0, 0.0], [0.0, 5.0], [0.0, 5.0], [0.0, 1.0]])
    found = find_confident_mistakes(logits, torch.tensor([0, 1, 0, 0, 0]), count=3)
    assert found.rows.tolist() == [2, 3, 1]
    assert found.predicted.tolist() == [1, 1, 0]
    assert torch.allclose(found.probabilities, logits[found.rows].double().softmax(1).max(1).values)


def test_right_answers_are_no_mistakes() -> None:
    assert len(find_confident_mistakes(torch.eye(3), torch.arange(3), count=5).rows) == 0
